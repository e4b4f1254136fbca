"""Pages of the site."""

from django.contrib import admin
from django.urls import path

from website import views

urlpatterns = [
    path("", views.campaigns),
    path("campaigns/", views.campaigns, name="campaigns"),
    path("certificates/", views.certificates, name="certificates"),
    path("admin/", admin.site.urls),
]
